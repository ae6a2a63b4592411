//go:build race

package jshook_test

const raced = true
