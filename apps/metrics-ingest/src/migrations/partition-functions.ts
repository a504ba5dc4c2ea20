/**
 * The owner's functions create and drop partitions, so that the ingesting role needs no right to change tables. They
 * take numbers only: no text of a caller reaches a statement.
 */
export const partitionFunctions = [
  // ATTACH of an existing table allows reads and writes meanwhile; CREATE ... PARTITION OF would block them.
  `CREATE FUNCTION metrics.add_partition(first bigint, beyond bigint) RETURNS boolean
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = metrics, pg_temp AS $$
   DECLARE
     part text := 'points_' || to_char(to_timestamp(first / 1000.0) AT TIME ZONE 'UTC', 'YYYYMMDD"t"HH24MI')
       || '_' || (beyond - first) / 60000 || 'm';
   BEGIN
     PERFORM pg_advisory_xact_lock(hashtextextended('novacron:metrics:partitions', 0));
     IF EXISTS (SELECT FROM partitions WHERE from_ts < beyond AND to_ts > first) THEN
       RETURN false;
     END IF;
     EXECUTE format('CREATE TABLE %I (LIKE points INCLUDING ALL)', part);
     EXECUTE format('ALTER TABLE points ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', part, first, beyond);
     INSERT INTO partitions (name, from_ts, to_ts) VALUES (part, first, beyond);
     RETURN true;
   END $$`,
  // Dropping locks the parent briefly. If the lock is not free at once, the caller retries later, so readers never wait.
  `CREATE FUNCTION metrics.drop_partitions(before bigint, at_most int) RETURNS int
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = metrics, pg_temp SET lock_timeout = '500ms' AS $$
   DECLARE
     part text;
     dropped int := 0;
   BEGIN
     PERFORM pg_advisory_xact_lock(hashtextextended('novacron:metrics:partitions', 0));
     FOR part IN DELETE FROM partitions WHERE name IN
       (SELECT name FROM partitions WHERE to_ts <= before ORDER BY to_ts LIMIT at_most) RETURNING name
     LOOP
       EXECUTE format('DROP TABLE %I', part);
       dropped := dropped + 1;
     END LOOP;
     RETURN dropped;
   END $$`,
  // Every query reads a block range that is not in the index. So a range is indexed soon after it is full.
  `CREATE FUNCTION metrics.summarize_partitions(firsts bigint[]) RETURNS int
     LANGUAGE plpgsql SECURITY DEFINER SET search_path = metrics, pg_catalog, pg_temp AS $$
   DECLARE
     ranges int := 0;
     index_id regclass;
   BEGIN
     FOR index_id IN
       SELECT i.indexrelid FROM partitions p
         JOIN pg_index i ON i.indrelid = format('metrics.%I', p.name)::regclass
       WHERE p.from_ts = ANY (firsts)
     LOOP
       ranges := ranges + brin_summarize_new_values(index_id);
     END LOOP;
     RETURN ranges;
   END $$`,
  ...[
    'add_partition(bigint, bigint)',
    'drop_partitions(bigint, int)',
    'summarize_partitions(bigint[])',
  ].flatMap((signature) => [
    `REVOKE EXECUTE ON FUNCTION metrics.${signature} FROM PUBLIC`,
    `GRANT EXECUTE ON FUNCTION metrics.${signature} TO metrics_sys`,
  ]),
];
