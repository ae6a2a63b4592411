package jshook

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
)

// What parent and worker tell each other: JSON, each piece after its length in four bytes.

// order is what the parent sends.
type order struct {
	Job     *job     `json:"job,omitempty"`
	Fetched *fetched `json:"fetched,omitempty"`
}

// job is one call of a script.
type job struct {
	Key      string            `json:"key"`              // of the script
	Script   *program          `json:"script,omitempty"` // absent when the worker has it already
	Forget   bool              `json:"forget,omitempty"` // all scripts that came before
	Check    bool              `json:"check,omitempty"`  // only whether it is JavaScript
	Args     []json.RawMessage `json:"args"`
	Secrets  []string          `json:"secrets,omitempty"` // what the console must not show
	BudgetNS int64             `json:"budget"`
}

// program is a script with all that it needs.
type program struct {
	Prelude  string            `json:"prelude,omitempty"`
	Source   string            `json:"source"`
	Callback bool              `json:"callback,omitempty"`
	Member   string            `json:"member,omitempty"`
	Linger   bool              `json:"linger,omitempty"`
	Modules  map[string]string `json:"modules,omitempty"` // CommonJS source by the name as required
}

// size is what a worker keeps of the program, roughly.
func (p *program) size() int {
	n := len(p.Source)
	for _, code := range p.Modules {
		n += len(code)
	}
	return n
}

// report is what the worker sends.
type report struct {
	Fetch *fetchRequest `json:"fetch,omitempty"`
	Done  *outcome      `json:"done,omitempty"`
}

// fetchRequest is a request that a script wants sent.
type fetchRequest struct {
	ID     int         `json:"id"`
	Method string      `json:"method"`
	URL    string      `json:"url"`
	Header [][2]string `json:"header"`
	Body   []byte      `json:"body"`
}

// fetched is the answer to it.
type fetched struct {
	ID         int         `json:"id"`
	Error      string      `json:"error,omitempty"`
	Status     int         `json:"status"`
	StatusText string      `json:"statusText"`
	Header     [][2]string `json:"header"`
	Body       []byte      `json:"body,omitempty"`
}

// How a call can end.
const (
	endAnswer  = "answer"  // the script answered, Body is what it said
	endError   = "error"   // it threw, or called back with an error; Body is that error as an object
	endSilent  = "silent"  // it has nothing left to do and did not answer
	endTime    = "time"    // it took too long
	endMemory  = "memory"  // it took too much memory
	endCompile = "compile" // it is no JavaScript; Body is the error
	endSize    = "size"    // the answer is too long
)

// outcome is how a call ended.
type outcome struct {
	End     string   `json:"end"`
	Body    string   `json:"body,omitempty"`
	Console []string `json:"console,omitempty"`
	Retire  bool     `json:"retire,omitempty"` // the worker should not be asked again
}

// Sizes of frames: a worker believes its parent, but not the other way round.
const (
	maxOrder  = 64 << 20
	maxReport = 4 << 20
)

// writeFrame sends one piece.
func writeFrame(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	frame := make([]byte, 4, 4+len(text))
	binary.BigEndian.PutUint32(frame, uint32(min(len(text), 1<<31)))
	if _, err := w.Write(append(frame, text...)); err != nil {
		return fmt.Errorf("write to the other end: %w", err)
	}
	return nil
}

// readFrame reads one piece of at most that many bytes into v.
func readFrame(r *bufio.Reader, most uint32, v any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > most {
		return fmt.Errorf("a frame of %d bytes, more than %d", n, most)
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, v)
}
