package probe

// StartTLS is the step before the handshake, for fuzzing it without a connection.
var StartTLS = startTLS
