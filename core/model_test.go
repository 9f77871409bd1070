package core_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestModel plays random actions of applications, clients and time against a server and compares what each
// side sees with a simple model; model_world_test.go says what must hold. A failure is shrunk and printed
// in the form of modelCases.
//
// RAPID_CHECKS=100000 go test -run TestModel ./core plays for longer. With -rapid.log every run is printed
// before it is played, which helps if one ends the process.
func TestModel(t *testing.T) {
	if os.Getenv("RAPID_CHECKS") == "" && !flagGiven("rapid.checks") {
		_ = flag.Set("rapid.checks", "10000")
	}
	_ = flag.Set("rapid.nofailfile", "true") // what is printed is enough
	failure := ""
	defer func() {
		if failure != "" {
			t.Log(failure)
		}
	}()
	rapid.Check(t, func(rt *rapid.T) {
		s := setup{
			first: rapid.IntRange(0, 127).Draw(rt, "first"), tight: rapid.Bool().Draw(rt, "tight"),
			observed: rapid.Bool().Draw(rt, "observed"), conflate: rapid.Bool().Draw(rt, "conflate"),
		}
		least := rapid.SampledFrom([]int{0, 5, 10, 20, 40}).Draw(rt, "least")
		actions := withoutIdling(rapid.SliceOfN(generator, least, 80).Draw(rt, "actions"))
		tries := 1
		if failure != "" {
			tries = 30 // it is being shrunk, and may depend on the scheduler
		}
		for range tries {
			if failures := run(t, s, actions); len(failures) > 0 {
				failure = report(s, actions, failures)
				rt.Fatal("a session did what the model does not allow, see the end of the output")
			}
		}
	})
}

// withoutIdling removes actions that do nothing, to make a shrunk list short.
func withoutIdling(actions []action) []action {
	return slices.DeleteFunc(actions, func(a action) bool { return a.kind == pass && a.n == 0 })
}

func flagGiven(name string) (given bool) {
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	return given
}
