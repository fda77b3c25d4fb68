// Command app is what the pods of the node's tests run: a server that shows what it can see of a Secret, or a sidecar
// that ends when the Secret's file changes.
package main
