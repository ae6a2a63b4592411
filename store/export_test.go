package store

// FindUsersStatement is what FindUsers asks the database.
var FindUsersStatement = findUsersStatement
