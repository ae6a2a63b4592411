//go:build !amd64 || purego || !gc

package argon2

func processBlock(out, in1, in2 *block, xor bool) {
	processBlockGeneric(out, in1, in2, xor)
}
