// Package torture breaks web-backend on purpose and counts what is lost. It
// has tests only, which need the build tag failpoints: `make torture` runs them
// at length, `make torture-short` as CI does. docs/reliability.md says what
// each of them proves.
package torture
