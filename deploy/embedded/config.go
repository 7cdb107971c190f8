package embedded

import (
	"fmt"
	"path/filepath"
	"strings"
)

// configXML renders the server's configuration for a small machine:
// https://clickhouse.com/docs/operations/server-configuration-parameters/settings.
func configXML(cfg ClickHouseConfig) string {
	const mergesPerThread = 2 // background_merges_mutations_concurrency_ratio
	slots := cfg.BackgroundThreads * mergesPerThread
	var b strings.Builder
	element := func(name string, value any) {
		fmt.Fprintf(&b, "<%s>%s</%[1]s>\n", name, escapeXML(fmt.Sprint(value)))
	}
	b.WriteString("<clickhouse>\n")
	element("path", filepath.Join(cfg.Dir, "store")+"/")
	element("tmp_path", filepath.Join(cfg.Dir, "store", "tmp")+"/")
	element("user_files_path", filepath.Join(cfg.Dir, "store", "user_files")+"/")
	element("format_schema_path", filepath.Join(cfg.Dir, "store", "format_schemas")+"/")
	element("listen_host", loopback)
	element("http_port", cfg.HTTPPort)
	element("tcp_port", cfg.NativePort)
	element("users_config", filepath.Join(cfg.Dir, "users.xml"))
	element("timezone", "UTC")
	element("log-level", cfg.LogLevel) // clickhouse-local reads this one, clickhouse-server that of the logger
	b.WriteString("<logger>\n")
	element("level", cfg.LogLevel)
	element("log", cfg.LogFile)
	element("size", "10M")
	element("count", 2)
	element("console", false) // else it logs to the pseudo-terminal as well
	b.WriteString("</logger>\n")

	element("max_server_memory_usage", cfg.MaxMemory)
	element("mark_cache_size", 64<<20)
	element("index_mark_cache_size", 8<<20)
	element("uncompressed_cache_size", 0)
	element("compiled_expression_cache_size", 32<<20)
	element("max_connections", 256)
	element("max_thread_pool_size", 1000)
	element("max_io_thread_pool_size", 16)

	element("background_pool_size", cfg.BackgroundThreads)
	element("background_merges_mutations_concurrency_ratio", mergesPerThread)
	element("background_move_pool_size", 1)
	element("background_fetches_pool_size", 1)
	element("background_common_pool_size", 2)
	element("background_buffer_flush_schedule_pool_size", 1)
	element("background_schedule_pool_size", 8)
	element("background_message_broker_schedule_pool_size", 2)
	element("background_distributed_schedule_pool_size", 1)
	element("tables_loader_foreground_pool_size", 2)
	element("tables_loader_background_pool_size", 2)
	// These defaults assume a pool of 32 slots, and a table whose values exceed the pool is refused.
	b.WriteString("<merge_tree>\n")
	element("number_of_free_entries_in_pool_to_lower_max_size_of_merge", max(1, slots/2))
	element("number_of_free_entries_in_pool_to_execute_mutation", max(1, slots/2))
	element("number_of_free_entries_in_pool_to_execute_optimize_entire_partition", max(1, slots/2))
	// Statistics of every column of every small part cost a twentieth of all that a load costs the server, and no query of ours is planned better
	// by them.
	element("auto_statistics_types", "")
	b.WriteString("</merge_tree>\n")

	if cfg.Cluster != nil {
		writeCluster(&b, element, cfg.Cluster)
	}
	// A system log is on as soon as it is mentioned; none is, because they grow without being asked for.
	b.WriteString("</clickhouse>\n")
	return b.String()
}

// writeCluster renders the sections remote_servers and macros; every shard has one replica.
func writeCluster(b *strings.Builder, element func(name string, value any), c *Cluster) {
	fmt.Fprintf(b, "<remote_servers>\n<%s>\n", c.Name)
	for _, addr := range c.Shards {
		host, port, _ := strings.Cut(addr, ":")
		b.WriteString("<shard>\n<internal_replication>true</internal_replication>\n<replica>\n")
		element("host", host)
		element("port", port)
		element("user", c.User)
		element("password", c.Password)
		b.WriteString("</replica>\n</shard>\n")
	}
	fmt.Fprintf(b, "</%s>\n</remote_servers>\n<macros>\n", c.Name)
	element("cluster", c.Name)
	element("shard", c.Shard)
	element("replica", 0)
	b.WriteString("</macros>\n")
}
