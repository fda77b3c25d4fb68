// Package node tests what the agent's tests stand on: that the node of test/cluster is a real one. A pod runs and is
// reached, its Secret follows, its containers restart in place, and nothing is left of any of it afterwards. It needs
// root; elsewhere it says that it is skipped, unless CERTWIRE_REQUIRE_NODE is set.
package node
