package store

// FindUsersStatement is what FindUsers asks the database.
var FindUsersStatement = findUsersStatement

// MessagesOfUsersSQL is what MessagesOfUsers asks it.
const MessagesOfUsersSQL = messagesOfUsersSQL

// RolesSQL is what RoleSlice asks it.
const RolesSQL = rolesSQL

// IsFactorProof is how statements tell that an entry of amr is of a second factor.
const IsFactorProof = isFactorProof
