package kafka

import (
	"fmt"
	"testing"

	kafkago "github.com/segmentio/kafka-go"
)

// TestBalancer: every partition has exactly one owner that follows its topic, and nobody has two more than anybody else,
// although no topic alone has enough partitions for all.
func TestBalancer(t *testing.T) {
	var topics []string
	var partitions []kafkago.Partition
	for i := range 10 {
		topics = append(topics, fmt.Sprintf("firehose.%d", i))
		for n := range 2 {
			partitions = append(partitions, kafkago.Partition{Topic: topics[i], ID: n})
		}
	}
	for members := 1; members <= 25; members++ {
		var group []kafkago.GroupMember
		for i := range members {
			group = append(group, kafkago.GroupMember{ID: fmt.Sprintf("m%02d", members-i), Topics: topics})
		}
		owner := map[string]string{}
		least, most := len(partitions), 0
		for id, assigned := range (balancer{}).AssignGroups(group, partitions) {
			n := 0
			for topic, numbers := range assigned {
				for _, number := range numbers {
					n++
					key := fmt.Sprintf("%s/%d", topic, number)
					if owner[key] != "" {
						t.Errorf("%d members: %s belongs to %s and %s", members, key, owner[key], id)
					}
					owner[key] = id
				}
			}
			least, most = min(least, n), max(most, n)
		}
		if len(owner) != len(partitions) || most-least > 1 {
			t.Errorf("%d members: %d of %d partitions have an owner, between %d and %d each", members, len(owner), len(partitions), least, most)
		}
	}
	group := []kafkago.GroupMember{{ID: "a", Topics: topics[:1]}, {ID: "b", Topics: topics}}
	got := (balancer{}).AssignGroups(group, partitions)
	if len(got["a"]) > 1 || len(got["b"][topics[9]]) != 2 {
		t.Errorf("a member got a topic that it does not follow: %v", got)
	}
}
