// Package pods describes the pods that tests run on a node: real servers of Debian's packages and a small one of our own,
// each restricted, with the certificate's Secret where it wants it. It knows nothing of the tests that use them.
//
// Start reading at [Server].
package pods
