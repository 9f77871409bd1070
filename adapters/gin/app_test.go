package eiogin_test

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"

	"github.com/goengineio/engineio/internal/adaptertest"
)

// output is where Gin logs to.
var output = new(adaptertest.LogBuffer)

func TestMain(m *testing.M) {
	gin.DefaultWriter, gin.DefaultErrorWriter = output, output
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		if line := complaint.FindString(output.String()); line != "" {
			fmt.Fprintln(os.Stderr, "Gin logged:", line)
			code = 1
		}
		os.Exit(code)
	}))
}

// complaint is what frameworks and servers log when something is written that must not be.
var complaint = regexp.MustCompile(`(?i).*(already written|superfluous|hijacked|panic).*`)
