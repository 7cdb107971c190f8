package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"otklik/deploy/embedded/embeddedtest"
)

// schemaHead declares what a dashboard is: Grafana's own types, with the values of their string enumerations in the place of the
// enumerations, because JSON has no others.
const schemaHead = `import type { Dashboard, Panel, RowPanel } from '@grafana/schema/dist/types/veneer/dashboard.types';
import type * as st from '@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen';
import type * as ts from '@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen';
import type * as ta from '@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen';
import type * as bc from '@grafana/schema/dist/types/raw/composable/barchart/panelcfg/x/types.gen';

type Json<T> = 0 extends 1 & T ? T : T extends string ? ` + "`${T}`" + ` : T extends number | boolean | null | undefined ? T
  : T extends (infer U)[] ? Json<U>[] : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

interface Query {
  datasource: { type: 'grafana-clickhouse-datasource'; uid: string };
  refId: string; editorType: 'sql'; rawSql: string; format: 0 | 1; queryType: 'table' | 'timeseries'; pluginVersion: string;
}
interface Metric {
  datasource: { type: 'prometheus'; uid: string };
  refId: string; expr: string; legendFormat: string; range: true;
}
type Drawn<Type extends string, O, C> = Omit<Json<Panel>, 'type' | 'options' | 'fieldConfig' | 'targets'> & {
  type: Type; options: Json<O>; targets: (Query | Metric)[];
  fieldConfig: Omit<Json<NonNullable<Panel['fieldConfig']>>, 'defaults'> & {
    defaults: Omit<Json<NonNullable<Panel['fieldConfig']>['defaults']>, 'custom'> & { custom?: Json<C> };
  };
};
type Known = Drawn<'stat', st.Options, Record<string, never>> | Drawn<'timeseries', ts.Options, ts.FieldConfig>
  | Drawn<'table', ta.Options, ta.FieldConfig> | Drawn<'barchart', bc.Options, bc.FieldConfig>;
type Board = Omit<Json<Dashboard>, 'panels' | 'annotations'> & {
  panels: (Known | Json<RowPanel>)[];
  annotations: { list?: (Omit<Json<NonNullable<NonNullable<Dashboard['annotations']>['list']>[number]>, 'target'> & { target: Query })[] };
};
`

// TestSchema checks the dashboards with the TypeScript compiler against Grafana's own types.
func TestSchema(t *testing.T) {
	compiler, err := filepath.Abs("schema/node_modules/typescript/bin/tsc")
	if err != nil {
		t.Fatal(err)
	}
	_, absent := os.Stat(compiler)
	node, lost := exec.LookPath("node")
	if absent != nil {
		absent = fmt.Errorf("%w: run `make setup-schema`", absent)
	} else if lost != nil {
		absent = lost
	}
	embeddedtest.Decide(t, absent)
	dir := t.TempDir()
	modules, err := filepath.Abs("schema/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	code.WriteString(schemaHead)
	files, err := Dashboards(Options{}) // the other languages differ in texts only
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&code, "export const %s: Board = %s;\n", strings.TrimSuffix(name, ".json"), bytes.TrimSpace(files[name]))
	}
	// And the check is one: on a line of its own, each of these must be refused, else the compiler complains about the comment.
	for i, change := range [][2]string{
		{`"graphMode":"none"`, `"graphMode":"sparkles"`},
		{`"drawStyle":"line"`, `"drawStyle":"lines"`},
		{`"colorMode":"background_solid"`, `"colourMode":"value"`},
		{`"format":0`, `"format":7`},
		{`"schemaVersion":42`, `"schemaVersion":"42"`},
		{`"cellHeight":"sm"`, `"cellHeight":"tiny"`},
		{`"type":"stat"`, `"type":"status"`},
		{`"hide":0`, `"hide":9`},
	} {
		var line bytes.Buffer
		if err := json.Compact(&line, files["reputation.json"]); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(line.String(), change[0]) {
			t.Errorf("no panel has %s", change[0])
			continue
		}
		fmt.Fprintf(&code, "// @ts-expect-error: %s\nexport const wrong%d: Board = %s;\n", change[1], i, strings.Replace(line.String(), change[0], change[1], 1))
	}
	const options = `{"compilerOptions": {"noEmit": true, "strict": true, "skipLibCheck": true, "module": "esnext", "moduleResolution": "node10",
		"preserveSymlinks": true, "target": "es2022", "types": []}, "files": ["check.ts"]}`
	for name, text := range map[string]string{"check.ts": code.String(), "tsconfig.json": options} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), node, compiler, "--project", dir)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
