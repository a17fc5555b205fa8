// Package auth identifies callers and decides what they may do. It contains
// password hashes, access tokens, rate limits, client addresses and the access
// rules. It does not depend on HTTP or on a store; package api calls it.
package auth
