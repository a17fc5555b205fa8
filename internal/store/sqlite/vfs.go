package sqlite

// vfsName names SQLite's file layer; "" is its own. Only a build with the tag
// failpoints sets another, before a store is opened.
var vfsName string
