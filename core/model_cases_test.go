package core_test

import "testing"

// modelCases are lists of actions worth playing every time: one for each way through a session, and those
// with which the model test has found bugs. They are also the seeds of FuzzSession.
var modelCases = []struct {
	name    string
	setup   setup
	actions []action
}{
	{"polling", setup{}, []action{{send, 0, 40, false}, {post, 0, 3, false}, {request, 0, 0, false}, {pass, 0, 9, false}, {endGently, 0, 0, false}}},
	{"revision 3", setup{first: optRevision3}, []action{{send, 0, 41, false}, {post, 0, 2, false}, {pass, 0, 9, false}, {clientCloses, 0, 0, false}}},
	{"JSONP", setup{first: optJSONP}, []action{{send, 0, 250, false}, {post, 0, 250, false}, {request, 0, 7, false}, {clientCloses, 0, 0, false}}},
	{"WebSocket", setup{first: optWebSocket}, []action{{burst, 0, 70, true}, {request, 0, 4, true}, {post, 0, 99, false}, {pass, 0, 11, false}, {closeFrame, 0, 0, false}}},
	{"WebSocket, revision 3, base64", setup{first: optWebSocket | optRevision3 | optBase64, observed: true}, []action{{send, 0, 13, true}, {post, 0, 99, false}, {cut, 0, 0, false}}},
	{"upgrade", setup{}, []action{{probe, 0, 0, true}, {ask, 0, 0, true}, {send, 0, 9, true}, {upgrade, 0, 0, true}, {send, 0, 10, true}, {post, 0, 3, false}, {stale, 0, 0, false}}},
	{"upgrade under load", setup{conflate: true}, []action{{probe, 0, 0, false}, {burst, 0, 255, true}, {post, 0, 7, true}, {ask, 0, 0, false}, {burst, 0, 135, true}, {upgrade, 0, 0, false}, {request, 0, 4, false}, {pass, 0, 6, false}}},
	{"hasty upgrade", setup{}, []action{{post, 0, 3, true}, {probe, 0, 0, true}, {hasty, 0, 0, true}, {post, 0, 3, true}, {send, 0, 1, true}, {again, 0, 0, false}}},
	{"abandoned upgrade", setup{observed: true}, []action{{probe, 0, 0, false}, {ask, 0, 0, false}, {pass, 0, 7, false}, {send, 0, 1, false}, {probe, 0, 0, false}, {badProbe, 0, 8, false}, {probe, 0, 0, false}, {dropProbe, 0, 0, false}, {send, 0, 2, false}}},
	{"POST before the upgrade, frames after it", setup{}, []action{{block, 0, 0, false}, {post, 0, 2, false}, {probe, 0, 0, false}, {hasty, 0, 0, false}, {post, 0, 3, false}, {block, 0, 1, false}}},
	{"slow POST before the upgrade, frames after it", setup{}, []action{{slowPost, 0, 0, false}, {probe, 0, 0, false}, {hasty, 0, 0, false}, {post, 0, 3, false}, {slowPost, 0, 0, false}}},
	{"graceful close of what waits", setup{first: optWebSocket}, []action{{stall, 0, 0, false}, {send, 0, 10, false}, {send, 0, 14, false}, {endGently, 0, 0, false}, {stall, 0, 0, false}}},
	{"held back for one callback, then another one blocks", setup{first: optWebSocket}, []action{{block, 0, 0, false}, {post, 0, 13, false}, {send, 0, 1, false}, {block, 0, 0, false}, {pass, 0, 255, false}}},
	{"shutdown of what is closing", setup{first: optWebSocket}, []action{{stall, 0, 0, false}, {endGently, 0, 0, false}, {request, 0, 3, true}, {shutdown, 0, 36, false}, {request, 0, 1, true}}},
	{"resumed while a callback blocks", setup{first: optWebSocket}, []action{{stall, 0, 0, false}, {block, 0, 0, false}, {post, 0, 0, false}, {send, 0, 1, false}, {send, 0, 83, false}, {pass, 0, 7, false}, {stall, 0, 0, false}, {pass, 0, 3, false}, {block, 0, 1, false}}},
	{"a graceful close nobody comes to fetch", setup{first: optIdle}, []action{{autoPoll, 0, 0, false}, {pass, 0, 4, false}, {autoPoll, 0, 0, false}, {leave, 0, 0, false}, {open, 0, optIdle, false}, {endGently, 1, 0, false}, {cut, 1, 0, false}}},
	{"stalled", setup{first: optWebSocket, tight: true}, []action{{stall, 0, 0, false}, {send, 0, 250, false}, {send, 0, 251, false}, {pass, 0, 6, false}, {stall, 0, 0, false}, {send, 0, 9, false}}},
	{"stalled for too long", setup{first: optWebSocket}, []action{{stall, 0, 0, false}, {send, 0, 250, false}, {pass, 0, 11, false}}},
	{"full", setup{first: optWebSocket, tight: true}, []action{{stall, 0, 0, false}, {burst, 0, 255, false}, {burst, 0, 127, false}, {send, 0, 255, false}}},
	{"silence", setup{}, []action{{withhold, 0, 0, false}, {pass, 0, 9, false}, {post, 0, 3, false}, {pass, 0, 8, false}, {pass, 0, 8, false}}},
	{"leaving", setup{}, []action{{send, 0, 1, false}, {leave, 0, 0, false}}},
	{"overlap", setup{}, []action{{slowPost, 0, 0, false}, {overlap, 0, 1, false}, {open, 0, 0, false}, {overlap, 1, 0, false}}},
	{"overlap, and then the first POST may end", setup{}, []action{{block, 0, 0, false}, {post, 0, 0, false}, {overlap, 0, 3, true}, {block, 0, 1, false}}},
	{"a POST that takes too long", setup{}, []action{{slowPost, 0, 0, false}, {pass, 0, 11, false}}},
	{"panic", setup{first: optWebSocket}, []action{{request, 0, 254, false}}},
	{"shutdown", setup{first: optGreets}, []action{{open, 0, 1 | optWebSocket, false}, {open, 0, optIdle, false}, {burst, 1, 255, true}, {send, 2, 9, true}, {shutdown, 0, 0, true}, {open, 0, 0, false}}},
	{"shutdown during a hasty upgrade, while messages are conflated", setup{conflate: true}, []action{{probe, 0, 0, false}, {shutdown, 0, 0, true}, {send, 0, 48, true}, {hasty, 0, 0, false}}},
	{"shutdown while a POST from before the upgrade waits for its turn", setup{first: optJSONP | optIdle | optSlowConnection}, []action{{send, 0, 48, false}, {post, 0, 48, false}, {probe, 0, 0, false}, {shutdown, 0, 0, false}, {hasty, 0, 0, false}}},
	{"closed while the client's close packet waits for a poll", setup{first: optSlowConnection}, []action{{clientCloses, 0, 0, false}, {send, 0, 0, false}, {pass, 0, 4, false}, {closeServer, 0, 0, false}}},
}

func TestModelCases(t *testing.T) {
	for _, c := range modelCases {
		t.Run(c.name, func(t *testing.T) {
			if failures := run(t, c.setup, c.actions); len(failures) > 0 {
				t.Error(report(c.setup, c.actions, failures))
			}
			// The fuzz target plays the same.
			s, actions := decodeActions(encodeActions(c.setup, c.actions...))
			if report(s, actions, nil) != report(c.setup, c.actions, nil) {
				t.Errorf("the fuzz target would play %s", report(s, actions, nil))
			}
		})
	}
}
