package jshook

import (
	"encoding/json"

	"modernc.org/quickjs"
)

// wrap makes the text of a CommonJS module a function. All of it stands on the first line of the
// module, so that the lines of stacks stay right.
func wrap(prelude, source string) string {
	return "(function (exports, require, module, __filename, __dirname) {" + prelude + source + "\n})"
}

// compile makes a script ready for every machine.
func (l *library) compile(key string, p *program) (*compiled, error) {
	code, err := compileText(wrap(p.Prelude, p.Source))
	if err != nil {
		return nil, err
	}
	c := &compiled{program: *p, code: code, modules: map[string][]byte{}}
	l.scripts[key] = c
	return c, nil
}

// compileText makes bytecode, which any machine of this process runs.
func compileText(source string) ([]byte, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	vm.SetMaxStackSize(maxDepth)
	return vm.Compile(source, quickjs.EvalGlobal)
}

// start hands the script its arguments. An outcome means that it is over already.
func (m *machine) start(j *job) *outcome {
	args, err := json.Marshal(j.Args)
	if err != nil {
		return failure(endError, err)
	}
	err = m.guarded(func() error {
		run, err := m.vm.EvalBytecodeValue(m.script.code)
		if err != nil {
			return err
		}
		defer run.Free()
		_, err = m.driver.Call(quickjs.UndefinedValue, "start", m.script.Callback, run, string(args), m.script.Member)
		return err
	})
	if err != nil {
		return m.ended(err)
	}
	return nil
}

// module gives the function that is a bundled module, or undefined when there is none of that name that
// works.
func (m *machine) module(name string) quickjs.Value {
	code, ok := m.script.modules[name]
	if source, known := m.script.Modules[name]; !ok && known {
		var err error
		if code, err = compileText(wrap("", source)); err != nil {
			return quickjs.UndefinedValue
		}
		m.script.modules[name] = code
	}
	if code == nil {
		return quickjs.UndefinedValue
	}
	return m.eval(code)
}

// eval is what bytecode evaluates to, or undefined when there is no memory for it.
func (m *machine) eval(code []byte) quickjs.Value {
	v, err := m.vm.EvalBytecodeValue(code)
	if err != nil {
		return quickjs.UndefinedValue
	}
	return v
}

// scriptName is what stacks call a script.
const scriptName = "hook.js"
