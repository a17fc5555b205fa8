// Package auth holds what decides who somebody is and what they may do:
// password hashes, access tokens, rate limits, client addresses and the access
// rules. It knows neither HTTP nor a store; package api asks it.
package auth
