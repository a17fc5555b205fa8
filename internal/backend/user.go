package backend

// User is one entry in a list of users.
type User struct {
	UserID   string
	Username string // "" if the user does not have a credential
	Disabled bool   // an operator has disabled the account
}

// UserOrder is an order in which a store reads users page by page.
type UserOrder uint8

// The orders.
const (
	ByCreation UserOrder = iota
	ByName               // users with a credential, by the stored NameKey of the user name
	ByID
)

// PositionedUser is a user at a position in an order.
type PositionedUser struct {
	User

	NameKey string // stored with the user name; "" if there is none
	Next    string // the position directly after this user
}

// UserSearch selects one page of users.
type UserSearch struct {
	// Text is what the user name or the user id begins with. Names are compared
	// by NameKey. With "" all users are found.
	Text string
	// After is the Next of the page before, or "" for the first page.
	After string
	// Limit is the maximum number of users, from 1 to MaxFoundUsers. A few more
	// are returned if their names have the same NameKey.
	Limit int
}

// MaxFoundUsers is the largest limit of a [UserSearch].
const MaxFoundUsers = 1000

// UserPage is one page of the users that a [UserSearch] finds.
type UserPage struct {
	Users []User
	Next  string // for UserSearch.After; "" if this is the last page
}

// UserFilter selects the users of a list.
type UserFilter uint8

// The filters.
const (
	AllUsers            UserFilter = iota // all users with a credential or a config
	UsersWithCredential                   // users that can log in
	UsersWithConfig                       // users that have been set up
)
