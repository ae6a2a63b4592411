// Copyright 2017 The Go Authors. All rights reserved.
// Use of this source code is governed by a BSD-style
// license that can be found in the LICENSE file.

// Package argon2 is Argon2id (RFC 9106) of golang.org/x/crypto/argon2, changed in two ways so that
// hashing and serving get along:
//
//   - A hash is computed where it is called, all lanes one after another, on one thread. The
//     original starts a goroutine for every lane of every slice, so that nobody can say on how
//     many processors passwords are hashed, nor at what priority.
//   - Its memory is used again. The original leaves 19 MiB to the garbage collector at every
//     sign-in; a flood of sign-ins then spends more on collecting than on anything else.
//
// The compression function and its assembly are the original's. A test compares the results with
// the original's.
package argon2

import (
	"encoding/binary"
	"hash"
	"sync"

	"golang.org/x/crypto/blake2b"
)

const (
	version     = 0x13
	mode        = 2 // Argon2id
	blockLength = 128
	syncPoints  = 4
)

type block [blockLength]uint64

// Hasher computes hashes in memory that it keeps for the next ones; the collector takes it back
// when there are none. The zero Hasher keeps none. It is safe for concurrent use and must not be
// copied.
type Hasher struct {
	Memory uint32 // KiB; of hashes that use as much, the memory is kept
	Lanes  uint8

	kept sync.Pool // of *[]block
}

// ID derives a key of keyLen bytes. There must be at least one iteration and one lane.
func (h *Hasher) ID(password, salt []byte, iterations, memory uint32, lanes uint8, keyLen uint32) []byte {
	p := pass{iterations: max(iterations, 1), lanes: max(uint32(lanes), 1)}
	h0 := initHash(password, salt, p.iterations, memory, p.lanes, keyLen)
	p.memory = max(memory/(syncPoints*p.lanes), 2) * syncPoints * p.lanes
	p.laneLength = p.memory / p.lanes
	p.segment = p.laneLength / syncPoints

	blocks, again := h.blocks(memory, lanes, p.memory)
	p.blocks = *blocks
	p.begin(&h0)
	p.run()
	key := p.key(keyLen)
	if again {
		h.kept.Put(blocks)
	}
	return key
}

// blocks finds memory and says whether it is of the size to keep.
func (h *Hasher) blocks(memory uint32, lanes uint8, need uint32) (*[]block, bool) {
	if memory != h.Memory || lanes != h.Lanes {
		fresh := make([]block, need)
		return &fresh, false
	}
	if kept, ok := h.kept.Get().(*[]block); ok {
		return kept, true
	}
	fresh := make([]block, need)
	return &fresh, true
}

type pass struct {
	blocks                    []block
	iterations, memory, lanes uint32
	laneLength, segment       uint32
}

func initHash(password, salt []byte, iterations, memory, lanes, keyLen uint32) [blake2b.Size + 8]byte {
	var h0 [blake2b.Size + 8]byte
	b2, _ := blake2b.New512(nil)
	number := func(n uint32) {
		var b [4]byte
		binary.LittleEndian.PutUint32(b[:], n)
		b2.Write(b[:])
	}
	for _, n := range []uint32{lanes, keyLen, memory, iterations, version, mode} {
		number(n)
	}
	for _, input := range [][]byte{password, salt, nil, nil} { // no secret, no associated data
		number(uint32(len(input))) //#nosec G115 -- the caller bounds both
		b2.Write(input)
	}
	b2.Sum(h0[:0])
	return h0
}

// begin writes the first two blocks of each lane.
func (p *pass) begin(h0 *[blake2b.Size + 8]byte) {
	var text [1024]byte
	for lane := range p.lanes {
		binary.LittleEndian.PutUint32(h0[blake2b.Size+4:], lane)
		for i := range uint32(2) {
			binary.LittleEndian.PutUint32(h0[blake2b.Size:], i)
			blake2bHash(text[:], h0[:])
			b := &p.blocks[lane*p.laneLength+i]
			for j := range b {
				b[j] = binary.LittleEndian.Uint64(text[j*8:])
			}
		}
	}
}

func (p *pass) run() {
	for n := range p.iterations {
		for slice := range uint32(syncPoints) {
			for lane := range p.lanes {
				p.fill(n, slice, lane)
			}
		}
	}
}

// fill computes a segment: the part of a lane between two points where lanes wait for one another.
func (p *pass) fill(n, slice, lane uint32) {
	var addresses, in, zero block
	independent := n == 0 && slice < syncPoints/2
	nextAddresses := func() {
		in[6]++
		processBlock(&addresses, &in, &zero, false)
		processBlock(&addresses, &addresses, &zero, false)
	}
	if independent {
		in[0], in[1], in[2] = uint64(n), uint64(lane), uint64(slice)
		in[3], in[4], in[5] = uint64(p.memory), uint64(p.iterations), mode
	}
	index := uint32(0)
	if n == 0 && slice == 0 {
		index = 2 // begin wrote the first two
		nextAddresses()
	}
	offset := lane*p.laneLength + slice*p.segment + index
	for ; index < p.segment; index, offset = index+1, offset+1 {
		prev := offset - 1
		if index == 0 && slice == 0 {
			prev += p.laneLength // the last of the lane
		}
		random := p.blocks[prev][0]
		if independent {
			if index%blockLength == 0 {
				nextAddresses()
			}
			random = addresses[index%blockLength]
		}
		reference := p.reference(random, n, slice, lane, index)
		processBlock(&p.blocks[offset], &p.blocks[prev], &p.blocks[reference], n > 0)
	}
}

// reference says which block is mixed in.
func (p *pass) reference(random uint64, n, slice, lane, index uint32) uint32 {
	refLane := uint32(random>>32) % p.lanes //#nosec G115 -- the upper half
	if n == 0 && slice == 0 {
		refLane = lane
	}
	m, s := 3*p.segment, ((slice+1)%syncPoints)*p.segment
	if lane == refLane {
		m += index
	}
	if n == 0 {
		m, s = slice*p.segment, 0
		if slice == 0 || lane == refLane {
			m += index
		}
	}
	if index == 0 || lane == refLane {
		m--
	}
	x := random & 0xFFFFFFFF
	x = (x * x) >> 32
	x = (x * uint64(m)) >> 32
	return refLane*p.laneLength + uint32((uint64(s)+uint64(m)-(x+1))%uint64(p.laneLength)) //#nosec G115 -- less than a lane
}

func (p *pass) key(keyLen uint32) []byte {
	last := &p.blocks[p.memory-1]
	for lane := range p.lanes - 1 {
		for i, v := range p.blocks[lane*p.laneLength+p.laneLength-1] {
			last[i] ^= v
		}
	}
	var text [1024]byte
	for i, v := range last {
		binary.LittleEndian.PutUint64(text[i*8:], v)
	}
	key := make([]byte, keyLen)
	blake2bHash(key, text[:])
	return key
}

// blake2bHash is the hash of variable length that RFC 9106 builds on BLAKE2b.
func blake2bHash(out, in []byte) {
	var b2 hash.Hash
	if n := len(out); n < blake2b.Size {
		b2, _ = blake2b.New(n, nil)
	} else {
		b2, _ = blake2b.New512(nil)
	}
	var buffer [blake2b.Size]byte
	binary.LittleEndian.PutUint32(buffer[:4], uint32(len(out))) //#nosec G115 -- a key or a block
	b2.Write(buffer[:4])
	b2.Write(in)
	if len(out) <= blake2b.Size {
		b2.Sum(out[:0])
		return
	}
	outLen := len(out)
	b2.Sum(buffer[:0])
	b2.Reset()
	copy(out, buffer[:32])
	out = out[32:]
	for len(out) > blake2b.Size {
		b2.Write(buffer[:])
		b2.Sum(buffer[:0])
		copy(out, buffer[:32])
		out = out[32:]
		b2.Reset()
	}
	if outLen%blake2b.Size > 0 {
		r := ((outLen + 31) / 32) - 2
		b2, _ = blake2b.New(outLen-32*r, nil)
	}
	b2.Write(buffer[:])
	b2.Sum(out[:0])
}
