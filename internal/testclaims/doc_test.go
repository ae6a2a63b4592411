// Package testclaims_test tries custom claims from the outside, as an operator meets them: the
// expressions that were found in use, definitions that are broken in every way that came to mind,
// sources that fail. What is expected was written down from the documentation of Hasura and of
// Hasura Auth, and not from the code.
package testclaims_test
