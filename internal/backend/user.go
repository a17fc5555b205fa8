package backend

// User is what a list of users shows of each.
type User struct {
	UserID   string
	Username string // "" for a user without a credential
}

// UserFilter chooses which users a list holds.
type UserFilter uint8

// The filters.
const (
	AllUsers            UserFilter = iota // everyone with a credential or a config
	UsersWithCredential                   // everyone who can log in
	UsersWithConfig                       // everyone who was set up
)

// Credential lets a user log in.
type Credential struct {
	Username string
	Password Secret // as stored: a password hash, or the plain text of an old client
	UserID   string
}
