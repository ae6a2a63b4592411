//go:build !race

package testworker

const raced = false
