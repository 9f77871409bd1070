package eioprom_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
	eioprom "github.com/goengineio/engineio/metrics/prometheus"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer makes a server in memory and a registry with its collector.
func newServer(t testing.TB, cfg core.Config) (*coretest.Client, *prometheus.Registry) {
	t.Helper()
	srv, err := core.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Close)
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(eioprom.NewCollector(srv, eioprom.Options{}))
	return &coretest.Client{Server: srv, Engine: coretest.Engine{}}, registry
}

// open opens a polling session and returns its id, and the query of its further requests.
func open(t *testing.T, client *coretest.Client, query string) (sid, session string) {
	t.Helper()
	answer := client.Get(query).Wait()
	_, packet, _ := strings.Cut(answer.Body, "{")
	var handshake struct{ SID string }
	if err := json.Unmarshal([]byte("{"+packet), &handshake); err != nil {
		t.Errorf("handshake: %d %s", answer.Status, answer.Body)
	}
	return handshake.SID, query + "&sid=" + handshake.SID
}

// series are the gathered values by name{label=value,...}; histograms appear as _count, _sum and
// _bucket_ with its bound.
type series map[string]float64

func gather(t *testing.T, registry *prometheus.Registry) series {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Error(err)
	}
	values := series{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			var labels []string
			for _, label := range metric.GetLabel() {
				labels = append(labels, label.GetName()+"="+label.GetValue())
			}
			name := family.GetName() + "{" + strings.Join(labels, ",") + "}"
			switch {
			case metric.GetHistogram() != nil:
				values[name+"_count"] = float64(metric.GetHistogram().GetSampleCount())
				values[name+"_sum"] = metric.GetHistogram().GetSampleSum()
				for _, bucket := range metric.GetHistogram().GetBucket() {
					values[name+"_bucket_"+strconv.FormatFloat(bucket.GetUpperBound(), 'g', -1, 64)] = float64(bucket.GetCumulativeCount())
				}
			case metric.GetCounter() != nil:
				values[name] = metric.GetCounter().GetValue()
			default:
				values[name] = metric.GetGauge().GetValue()
			}
		}
	}
	return values
}
