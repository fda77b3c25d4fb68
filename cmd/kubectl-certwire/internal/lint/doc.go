// Package lint checks manifests before they are applied: by the rules and plans that certwire has at admission, with the
// other manifests of the same input as the surroundings. It asks no cluster.
//
// What the input does not hold may still be in the cluster. So an issuer or a namespace that is not there is said to be
// not in the input, and never counts as an error.
//
// Start reading at [Check].
package lint
