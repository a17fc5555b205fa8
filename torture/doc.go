// Package torture breaks web-backend on purpose and counts what is lost. It
// contains only tests. They need the build tag failpoints. `make torture` runs
// the long form, and `make torture-short` the short form that CI runs.
// docs/reliability.md explains what each test proves.
package torture
