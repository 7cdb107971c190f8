package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Grafana is a running Grafana with its HTTP API.
type Grafana struct {
	URL   string // for example http://127.0.0.1:3000
	Token string // of a service account that may write dashboards, folders and alert rules
	// Client is nil for one with a time-out of half a minute.
	Client *http.Client
}

// statusError is an answer other than the expected ones.
type statusError struct {
	method, path, status, text string
	code                       int
}

// Error returns the answer and, where the reason is known, what to do.
func (e *statusError) Error() string {
	hint := ""
	switch e.code {
	case http.StatusUnauthorized:
		hint = "; the token is not valid: make one for a service account and put it into the environment"
	case http.StatusForbidden:
		hint = "; the service account needs the role Editor, and Admin for the message template"
	}
	return fmt.Sprintf("%s %s: %s: %s%s", e.method, e.path, e.status, e.text, hint)
}

// Push puts the folder, the dashboards, the message template and the alert rules into Grafana and returns what it changed; a second
// call changes nothing. The data sources must be there: they hold passwords, which are provisioned and not pushed.
func (g *Grafana) Push(ctx context.Context, o Options) (changed []string, err error) {
	o, err = o.withDefaults()
	if err != nil {
		return nil, err
	}
	for _, source := range []string{DatasourceUID, DeskDatasourceUID} {
		if _, err := g.get(ctx, "/api/datasources/uid/"+source); isMissing(err) {
			return nil, fmt.Errorf("the data source %s is missing: provision it with the file that `otklik dashboards --out DIR` writes, or create it with this uid", source)
		} else if err != nil {
			return nil, fmt.Errorf("data source %s: %w", source, err)
		}
	}
	if made, err := g.folder(ctx); err != nil {
		return nil, err
	} else if made {
		changed = append(changed, "folder "+FolderTitle)
	}
	boards, err := Dashboards(o)
	if err != nil {
		return changed, err
	}
	for _, name := range slices.Sorted(maps.Keys(boards)) {
		did, err := g.dashboard(ctx, boards[name])
		if err != nil {
			return changed, fmt.Errorf("dashboard %s: %w", name, err)
		}
		if did {
			changed = append(changed, "dashboard "+strings.TrimSuffix(name, ".json"))
		}
	}
	w := &printer{lang: o.Lang}
	if did, err := g.put(ctx, "/api/v1/provisioning/templates/"+templateName, map[string]any{"name": templateName, "template": messageTemplate(w)}); err != nil {
		return changed, fmt.Errorf("message template: %w", err)
	} else if did {
		changed = append(changed, "message template "+templateName)
	}
	group, err := alertGroupOf(w, o)
	if err != nil {
		return changed, err
	}
	if did, err := g.put(ctx, "/api/v1/provisioning/folder/"+FolderUID+"/rule-groups/"+groupName, groupOverHTTP(&group)); err != nil {
		return changed, fmt.Errorf("alert rules: %w", err)
	} else if did {
		changed = append(changed, "alert rules "+groupName)
	}
	return changed, nil
}

// folder creates the folder unless it is there.
func (g *Grafana) folder(ctx context.Context) (made bool, err error) {
	_, err = g.get(ctx, "/api/folders/"+FolderUID)
	if err == nil {
		return false, nil
	}
	if !isMissing(err) {
		return false, fmt.Errorf("folder %s: %w", FolderTitle, err)
	}
	if _, err := g.do(ctx, http.MethodPost, "/api/folders", map[string]any{"uid": FolderUID, "title": FolderTitle}); err != nil {
		return false, fmt.Errorf("folder %s: %w", FolderTitle, err)
	}
	return true, nil
}

// dashboard writes one dashboard unless Grafana has it so already.
func (g *Grafana) dashboard(ctx context.Context, text []byte) (changed bool, err error) {
	want, err := decode(text)
	if err != nil {
		return false, err
	}
	object, ok := want.(map[string]any)
	if !ok {
		return false, errors.New("not a JSON object")
	}
	id, _ := object["uid"].(string)
	have, err := g.get(ctx, "/api/dashboards/uid/"+url.PathEscape(id))
	if err != nil && !isMissing(err) {
		return false, err
	}
	if answer, ok := have.(map[string]any); ok && err == nil {
		dropBuiltIn(answer["dashboard"])
		if meta, ok := answer["meta"].(map[string]any); ok && meta["folderUid"] == FolderUID && holds(answer["dashboard"], want) {
			return false, nil
		}
	}
	_, err = g.do(ctx, http.MethodPost, "/api/dashboards/db", map[string]any{
		"dashboard": want, "folderUid": FolderUID, "overwrite": true, "message": "otklik dashboards --push",
	})
	return err == nil, err
}

// dropBuiltIn removes the annotation query that Grafana adds to every dashboard.
func dropBuiltIn(v any) {
	d, _ := v.(map[string]any)
	annotations, _ := d["annotations"].(map[string]any)
	if list, ok := annotations["list"].([]any); ok {
		annotations["list"] = slices.DeleteFunc(list, func(a any) bool {
			query, _ := a.(map[string]any)
			return query["builtIn"] == json.Number("1")
		})
	}
}

// put writes a provisioned resource unless Grafana has it so already.
func (g *Grafana) put(ctx context.Context, path string, v any) (changed bool, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return false, err
	}
	want, err := decode(text)
	if err != nil {
		return false, err
	}
	have, err := g.get(ctx, path)
	switch {
	case err == nil && holds(have, want):
		return false, nil
	case err != nil && !isMissing(err):
		return false, err
	}
	_, err = g.do(ctx, http.MethodPut, path, v)
	return err == nil, err
}

// groupOverHTTP is the rule group as the HTTP API takes it; there the interval is a number of seconds.
func groupOverHTTP(g *alertGroup) map[string]any {
	rules := make([]any, len(g.Rules))
	for i := range g.Rules {
		r := &g.Rules[i]
		data := make([]any, len(r.Data))
		for j := range r.Data {
			q := &r.Data[j]
			data[j] = map[string]any{
				"refId": q.RefID, "datasourceUid": q.DatasourceUID, "model": q.Model, "queryType": "",
				"relativeTimeRange": map[string]any{"from": q.RelativeTimeRange.From, "to": q.RelativeTimeRange.To},
			}
		}
		rules[i] = map[string]any{
			"uid": r.UID, "title": r.Title, "condition": r.Condition, "for": r.For, "noDataState": r.NoDataState, "execErrState": r.ExecErrState,
			"annotations": r.Annotations, "labels": r.Labels, "data": data, "folderUID": FolderUID, "ruleGroup": g.Name, "orgID": g.OrgID,
		}
	}
	return map[string]any{"title": g.Name, "folderUid": FolderUID, "interval": int64(time.Minute / time.Second), "rules": rules}
}

// holds reports whether have contains all of want: Grafana adds fields of its own, so keys that it has more do not count.
func holds(have, want any) bool {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return false
		}
		for key, value := range w {
			other, there := h[key]
			if !there && value != nil || !holds(other, value) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !holds(h[i], w[i]) {
				return false
			}
		}
		return true
	default:
		return have == want
	}
}

// isMissing reports whether Grafana has no such thing.
func isMissing(err error) bool {
	e, ok := errors.AsType[*statusError](err)
	return ok && e.code == http.StatusNotFound
}

func (g *Grafana) get(ctx context.Context, path string) (any, error) {
	return g.do(ctx, http.MethodGet, path, nil)
}

// do sends a request and returns the JSON of its answer; nil when that is empty.
func (g *Grafana) do(ctx context.Context, method, path string, body any) (any, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(g.URL, "/")+path, content)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+g.Token)
	request.Header.Set("Content-Type", "application/json")
	// Without it, Grafana's own pages refuse to edit what was pushed.
	request.Header.Set("X-Disable-Provenance", "true")
	client := g.Client
	if client == nil {
		client = &http.Client{Timeout: 30 * time.Second}
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, 32<<20))
	if err = errors.Join(err, response.Body.Close()); err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		return nil, &statusError{method: method, path: path, status: response.Status, code: response.StatusCode, text: string(bytes.TrimSpace(text[:min(len(text), 300)]))}
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, nil //nolint:nilnil // an empty answer is none
	}
	return decode(text)
}
