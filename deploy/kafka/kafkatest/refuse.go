package kafkatest

import (
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// RefuseProduce has an in-process broker answer with the error code of the protocol to every produce request, of one partition, of which refuse
// says so. It takes the others as usual.
func RefuseProduce(broker *kfake.Cluster, code int16, refuse func(*kmsg.ProduceRequest) bool) {
	broker.ControlKey(int16(kmsg.Produce), func(request kmsg.Request) (kmsg.Response, error, bool) {
		broker.KeepControl()
		asked, ok := request.(*kmsg.ProduceRequest)
		if !ok || !refuse(asked) {
			return nil, nil, false //nolint:nilnil // the broker answers
		}
		answer, ok := asked.ResponseKind().(*kmsg.ProduceResponse)
		if !ok {
			return nil, nil, false //nolint:nilnil // the broker answers
		}
		partition := kmsg.NewProduceResponseTopicPartition()
		partition.Partition, partition.ErrorCode = asked.Topics[0].Partitions[0].Partition, code
		topic := kmsg.NewProduceResponseTopic()
		topic.Topic, topic.TopicID = asked.Topics[0].Topic, asked.Topics[0].TopicID
		topic.Partitions = append(topic.Partitions, partition)
		answer.Topics = append(answer.Topics, topic)
		return answer, nil, true
	})
}
