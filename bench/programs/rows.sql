-- A table that grows to as many rows as the table `size` says, is indexed, thinned out, updated and asked.
create table rows(id integer primary key, name text, value real);
with recursive n(x) as (select 1 union all select x + 1 from n where x < (select rows from size))
    insert into rows select x, printf('%0*d', x % 200, x), x / 7.0 from n;
create index names on rows(name);
delete from rows where id % 3 = 0;
update rows set name = name || name where id % 5 = 0;
vacuum;
select count(*), sum(length(name)), max(value), group_concat(distinct id % 7) from rows;
select substr(name, -3), count(*), group_concat(id) from rows group by 1 order by 2 desc limit 5;
