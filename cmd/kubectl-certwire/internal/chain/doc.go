// Package chain draws the way of one certificate, from the Certificate to the wire, as a tree: what each layer holds, which
// one is the first that is behind, and the command that helps.
//
// It is pure: [Facts] in, [Tree] out, and [Write] for people. Who gathers the facts is package walk. Start reading at
// [Assemble].
package chain
