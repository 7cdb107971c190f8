// Package clickhouse is the query model of Grafana's ClickHouse data source (plugin grafana-clickhouse-datasource), which the
// Grafana Foundation SDK does not have.
package clickhouse

import (
	"errors"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
)

// Plugin is the id of the data source plugin.
const Plugin = "grafana-clickhouse-datasource"

// PluginVersion is the version of the plugin whose query model this is; it stands in every query.
const PluginVersion = "4.20.0"

// Format is the shape of a query's result.
type Format int

// The formats that Otklik uses; the values are the plugin's.
const (
	// TimeSeries needs a first column "time", ascending; a text column beside it makes one series per value.
	TimeSeries Format = 0
	// Table is any rows.
	Table Format = 1
)

// Query is one SQL query of a panel, a variable, an annotation or an alert rule.
type Query struct {
	Datasource *common.DataSourceRef `json:"datasource,omitempty"`
	RefID      string                `json:"refId"`
	EditorType string                `json:"editorType"` // "sql"
	RawSQL     string                `json:"rawSql"`
	// Format is never left out: without it the plugin takes 0, a time series.
	Format        Format `json:"format"`
	QueryType     string `json:"queryType"` // what the editor shows: timeseries or table
	PluginVersion string `json:"pluginVersion"`
}

// New returns a query for the data source.
func New(source common.DataSourceRef, refID, sql string, format Format) Query {
	kind := "table"
	if format == TimeSeries {
		kind = "timeseries"
	}
	return Query{
		Datasource: &source, RefID: refID, EditorType: "sql", RawSQL: strings.TrimSpace(sql), Format: format, QueryType: kind,
		PluginVersion: PluginVersion,
	}
}

var _ variants.Dataquery = Query{}

// ImplementsDataqueryVariant marks the type as a query for the SDK.
func (q Query) ImplementsDataqueryVariant() {}

// Equals reports whether the other query is the same.
func (q Query) Equals(other variants.Dataquery) bool {
	o, ok := other.(Query)
	if !ok || (q.Datasource == nil) != (o.Datasource == nil) {
		return false
	}
	if q.Datasource != nil && !q.Datasource.Equals(*o.Datasource) {
		return false
	}
	q.Datasource, o.Datasource = nil, nil
	return q == o
}

// DataqueryType returns the id of the plugin.
func (q Query) DataqueryType() string { return Plugin }

// Validate reports a query without text or name.
func (q Query) Validate() error {
	switch {
	case q.RawSQL == "":
		return errors.New("query " + q.RefID + " has no SQL")
	case q.RefID == "":
		return errors.New("a query has no refId")
	default:
		return nil
	}
}
