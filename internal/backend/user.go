package backend

// User is one entry in a list of users.
type User struct {
	UserID   string
	Username string // "" if the user does not have a credential
}

// UserFilter selects the users of a list.
type UserFilter uint8

// The filters.
const (
	AllUsers            UserFilter = iota // all users with a credential or a config
	UsersWithCredential                   // users that can log in
	UsersWithConfig                       // users that have been set up
)
