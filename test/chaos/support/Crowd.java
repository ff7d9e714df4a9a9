// A crowd of consumers of one group, each with a thread of its own, and one writer. What it is told on standard input it does; every step
// of a member is told on standard output, one line each, in the order in which it happened.
// Run from its source:  java -cp JARS Crowd.java BOOTSTRAP TOPIC GROUP classic|consumer RECORDS_PER_SECOND
//
//   join ID · leave ID · end            told;  end: the writer stops, and the end of each partition is told
//   assigned ID P,P… · revoked ID P,P… · lost ID P,P… · got ID P FIRST LAST · committed ID P OFFSET · left ID · end P OFFSET · ended

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

public class Crowd {
    private static final PrintStream OUT = System.out;

    private static void tell(String line) {
        synchronized (OUT) {
            OUT.println(line);
            OUT.flush();
        }
    }

    public static void main(String[] args) throws Exception {
        String bootstrap = args[0];
        String topic = args[1];
        Map<String, Member> members = new HashMap<>();
        Writer writer = new Writer(bootstrap, topic, Integer.parseInt(args[4]));
        writer.start();
        tell("ready");
        BufferedReader orders = new BufferedReader(new InputStreamReader(System.in));
        for (String order = orders.readLine(); order != null; order = orders.readLine()) {
            String[] words = order.split(" ");
            switch (words[0]) {
                case "join" -> {
                    Member member = new Member(words[1], bootstrap, topic, args[2], args[3]);
                    members.put(words[1], member);
                    member.start();
                }
                case "leave" -> members.remove(words[1]).leaves.set(true);
                case "end" -> writer.ends.set(true);
                default -> throw new IllegalArgumentException(order);
            }
        }
        System.exit(0);
    }

    private static class Writer extends Thread {
        final AtomicBoolean ends = new AtomicBoolean();
        private final KafkaProducer<byte[], byte[]> producer;
        private final String topic;
        private final int perSecond;
        private final Map<Integer, Long> offsets = new TreeMap<>();

        Writer(String bootstrap, String topic, int perSecond) {
            Properties settings = new Properties();
            settings.put(ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            settings.put(ProducerConfig.LINGER_MS_CONFIG, 50);
            this.producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
            this.topic = topic;
            this.perSecond = perSecond;
        }

        @Override
        public void run() {
            int partitions = producer.partitionsFor(topic).size();
            long startedNs = System.nanoTime();
            for (long count = 0; !ends.get(); count++) {
                long dueNs = startedNs + count * 1_000_000_000L / perSecond;
                while (System.nanoTime() < dueNs && !ends.get()) pause(1);
                int partition = (int) (count % partitions);
                producer.send(new ProducerRecord<>(topic, partition, null, new byte[20]), (where, problem) -> {
                    if (problem != null) tell("unsent " + problem);
                    else synchronized (offsets) {
                        offsets.merge(partition, where.offset() + 1, Math::max);
                    }
                });
            }
            producer.flush();
            synchronized (offsets) {
                offsets.forEach((partition, end) -> tell("end " + partition + " " + end));
            }
            tell("ended");
            producer.close();
        }
    }

    private static class Member extends Thread implements ConsumerRebalanceListener {
        final AtomicBoolean leaves = new AtomicBoolean();
        private final String id;
        private final String topic;
        private final Properties settings = new Properties();

        Member(String id, String bootstrap, String topic, String group, String protocol) {
            super("member-" + id);
            this.id = id;
            this.topic = topic;
            settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
            settings.put(ConsumerConfig.GROUP_ID_CONFIG, group);
            settings.put(ConsumerConfig.CLIENT_ID_CONFIG, "member-" + id);
            settings.put(ConsumerConfig.GROUP_PROTOCOL_CONFIG, protocol);
            settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
            settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, "false");
            settings.put(ConsumerConfig.FETCH_MAX_WAIT_MS_CONFIG, 100);
            if (protocol.equals("classic")) {
                settings.put(ConsumerConfig.PARTITION_ASSIGNMENT_STRATEGY_CONFIG, CooperativeStickyAssignor.class.getName());
                settings.put(ConsumerConfig.HEARTBEAT_INTERVAL_MS_CONFIG, 500);
            }
        }

        @Override
        public void run() {
            ByteArrayDeserializer bytes = new ByteArrayDeserializer();
            try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(settings, bytes, bytes)) {
                consumer.subscribe(List.of(topic), this);
                while (!leaves.get()) turn(consumer);
            } catch (RuntimeException problem) {
                tell("failed " + id + " " + problem);
            }
            tell("left " + id);
        }

        private void turn(KafkaConsumer<byte[], byte[]> consumer) {
            ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(100));
            Map<TopicPartition, OffsetAndMetadata> done = new HashMap<>();
            for (TopicPartition partition : records.partitions()) {
                List<ConsumerRecord<byte[], byte[]>> own = records.records(partition);
                long last = own.get(own.size() - 1).offset();
                tell("got " + id + " " + partition.partition() + " " + own.get(0).offset() + " " + last);
                done.put(partition, new OffsetAndMetadata(last + 1));
            }
            if (done.isEmpty()) return;
            try {
                consumer.commitSync(done);
                done.forEach((partition, upTo) -> tell("committed " + id + " " + partition.partition() + " " + upTo.offset()));
            } catch (KafkaException problem) {
                // A rebalance took the partitions, or is under way: whoever gets them reads again what was not committed.
                tell("uncommitted " + id + " " + problem.getClass().getSimpleName());
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
            tell("assigned " + id + " " + numbers(partitions));
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
            tell("revoked " + id + " " + numbers(partitions));
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> partitions) {
            tell("lost " + id + " " + numbers(partitions));
        }

        private static String numbers(Collection<TopicPartition> partitions) {
            return partitions.stream().map(one -> Integer.toString(one.partition())).collect(Collectors.joining(","));
        }
    }

    private static void pause(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException problem) {
            throw new IllegalStateException(problem);
        }
    }
}
