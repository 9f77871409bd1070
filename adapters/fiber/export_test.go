package eiofiber

import (
	"github.com/gofiber/fiber/v2"

	"github.com/goengineio/engineio/core"
)

// AnswerLate returns a handler that answers with body the way the core answers a poll with much data, and
// calls between, unless it is nil, before it responds.
func AnswerLate(srv *core.Server, body []byte, done func(error), between func()) fiber.Handler {
	e := newEndpoint(srv, Options{})
	return func(c *fiber.Ctx) error {
		e.once.Do(func() { e.inspect(c) })
		x := newExchange(c, e)
		if !x.WhenSent(done) {
			panic("the adapter does not tell when an answer was sent")
		}
		if between != nil {
			between()
		}
		x.SetHeader(fiber.HeaderContentType, "text/plain; charset=UTF-8")
		return x.Respond(fiber.StatusOK, body)
	}
}
