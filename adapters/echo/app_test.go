package eioecho_test

import (
	"testing"

	"github.com/labstack/echo/v4"
	"go.uber.org/goleak"

	"github.com/goengineio/engineio/internal/adaptertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newEcho makes an Echo; the test fails if its logger logs anything.
func newEcho(t *testing.T) *echo.Echo {
	e := echo.New()
	log := new(adaptertest.LogBuffer)
	e.Logger.SetOutput(log)
	t.Cleanup(func() {
		if text := log.String(); text != "" {
			t.Error("Echo logged:", text)
		}
	})
	return e
}
