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
