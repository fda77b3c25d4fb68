// Package pki makes the keys and certificates of one throw-away cluster: an
// authority, what it signs, and the key that signs ServiceAccount tokens. All of
// it is written as PEM files, since that is what the components read. Start at
// [New].
package pki
