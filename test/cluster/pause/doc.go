// Command pause holds a pod's namespaces open in the test node: the first process
// of every pod. It does nothing, reaps what is left to it, and ends when told to.
package main
