// Package presets tests what package spec says of known servers, with the servers themselves: Debian's, each as a process
// of this machine beside an agent, with the agent's own defaults.
//
// A server that is not installed is skipped, and the line says which package it is in. With CERTWIRE_REQUIRE_NODE set it
// is installed where that can be done, and a failure where it cannot: it is what tests that need a whole machine go by.
//
// The servers that test/agent runs in pods (nginx, haproxy, postgres, redis) are not here. Start reading at presets_test.go.
package presets
