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

// output has what Gin logs.
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

// complaint matches what frameworks and servers log about forbidden writes.
var complaint = regexp.MustCompile(`(?i).*(already written|superfluous|hijacked|panic).*`)
