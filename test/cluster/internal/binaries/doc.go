// Package binaries builds the cluster's programs from Go modules, once per exact
// set of versions, and finds files that modules ship beside their code. The heavy
// modules are pinned in this module's go.mod and are only ever build targets: the
// harness itself imports none of them. Start at [Open] and [Cache.Build].
package binaries
