package sqlite

// vfsName is the name of the SQLite VFS (file layer) to use; "" means the
// default one. Only a build with the tag failpoints sets another name, before a
// store is opened.
var vfsName string
