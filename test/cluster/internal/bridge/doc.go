// Package bridge makes the network bridge that a node's pods are connected to, with
// an address of its own that the pods and this machine both reach, on a subnet
// that the machine does not use. It runs ip(8). Start at [New].
package bridge
