// Package pebble runs Pebble, the ACME server for tests of Let's Encrypt
// (https://github.com/letsencrypt/pebble), and keeps a log of who ordered what.
//
// Pebble's own log names orders by their ids alone. A front in this process, which
// clients speak to, therefore passes every request on as it is and adds to the log
// which names each new order is for. Both write a line before the client has its
// answer, so whoever has seen a certificate finds its order in the log.
//
// The lines that matter, in the order in which they appear for one order:
//
//	Pebble 2026/11/23 17:30:00 Added order "ID" to the db
//	2026-11-23T17:30:00.123456Z front: order "ID" is for a.example.com,b.example.com
//	Pebble 2026/11/23 17:30:00 Issued certificate serial SERIAL for order ID
//
// Pebble's two are in wfe/wfe.go (NewOrder) and ca/ca.go (CompleteOrder) of v2.10.1.
// Start at [Start].
package pebble
