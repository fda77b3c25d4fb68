// Package flock takes advisory locks on files, so that two commands started at
// once do not build into, or clean up, the same folder. The kernel releases a
// lock when its holder ends, however it ends: a held lock therefore also means
// "the holder is alive".
package flock
