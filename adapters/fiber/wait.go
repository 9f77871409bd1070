package eiofiber

import (
	"context"
	"time"

	"github.com/goengineio/engineio/core"
)

// nearDeadline is how long before the deadline of a request's context its poll is answered.
const nearDeadline = 500 * time.Millisecond

// Wait watches the connection where that is possible. It also ends with the user context, which some
// middleware uses to limit the time of a request.
func (x *exchange) Wait(w *core.Waiter) core.WaitResult {
	expires := w.Expires()
	ctx := x.c.UserContext()
	if deadline, ok := ctx.Deadline(); ok { // answer before the middleware does
		left := time.Until(deadline)
		left -= min(left/2, nearDeadline)
		if expires == 0 || left < expires {
			expires = max(left, time.Nanosecond)
		}
	}
	if ctx.Done() != nil {
		defer context.AfterFunc(ctx, w.Wake)()
	}
	result, ok := watch(x.conn, w, expires)
	if !ok {
		result = wait(w.C(), expires)
	}
	if result == core.Woken && ctx.Err() != nil { // there may be nothing to say
		result = core.Expired
	}
	return result
}

// wait waits without watching the connection. Zero means no limit.
func wait(woken <-chan struct{}, expires time.Duration) core.WaitResult {
	var expired <-chan time.Time
	if expires > 0 {
		timer := time.NewTimer(expires)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-woken:
		return core.Woken
	case <-expired:
		return core.Expired
	}
}
