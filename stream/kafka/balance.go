package kafka

import (
	"cmp"
	"slices"

	kafkago "github.com/segmentio/kafka-go"
)

// balancer deals all partitions of all topics out in turn. The library's round robin deals topic by topic, each beginning
// with the first member: ten topics of two partitions would keep two members busy and leave every further one idle.
type balancer struct{}

// ProtocolName is what the members of a group must agree on.
func (balancer) ProtocolName() string { return "otklik-round-robin" }

// UserData is nothing: the assignment depends on the members and the partitions alone.
func (balancer) UserData() ([]byte, error) { return nil, nil }

// AssignGroups gives every partition to one of the members that follow its topic. Members differ by at most one partition
// when they follow the same topics.
func (balancer) AssignGroups(members []kafkago.GroupMember, partitions []kafkago.Partition) kafkago.GroupMemberAssignments {
	members = slices.SortedFunc(slices.Values(members), func(a, b kafkago.GroupMember) int { return cmp.Compare(a.ID, b.ID) })
	partitions = slices.SortedFunc(slices.Values(partitions), func(a, b kafkago.Partition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.ID, b.ID))
	})
	assigned := kafkago.GroupMemberAssignments{}
	for _, m := range members {
		assigned[m.ID] = map[string][]int{}
	}
	turn := 0
	for _, p := range partitions {
		for range members {
			m := members[turn%len(members)]
			turn++
			if slices.Contains(m.Topics, p.Topic) {
				assigned[m.ID][p.Topic] = append(assigned[m.ID][p.Topic], p.ID)
				break
			}
		}
	}
	return assigned
}
