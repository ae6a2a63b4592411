//go:build race

package testworker

const raced = true
