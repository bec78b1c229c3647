"""Tables and schemas become bytes and come back; what earlier versions wrote is read."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from marketing_platform.stores.arrow_bytes import schema_bytes, schema_from, table_bytes, table_from

TABLE = pa.table({"n": pa.array([1, None], pa.int64()), "s": ["a", "é"]})
# The table and its schema as the stores that keep such bytes first wrote them.
STREAM = (
    "c-mc1J8nWT5FGpYeTZCG(JMfLh=PJHQmT|RxkFkm5Jk!bI1U_u9*Ij(<|4?9mwk^-R$9;Q>}PD}obw()La`@AG^o)rqPf5v%sQSy"
    "Pr%bR8ecfi#=6W;m6K8WkK{qPgr4&aTG^OX&-sG$e{)}=8R@NP7J8#~%H>~TuX&{E{l-x?qYAR`8xM<kp<Wn!cJ!6r*TY&PnvH7K"
    "rt+*fRh%il<F5_*Lh)0vH$C3yI>T8T`1SGix^$C~NS03@Bpgd`CqKT`)Z_NCth$Gltyg@-_Iw!rwcrhT^du_"
)
SCHEMA = (
    "c-mb}ISzm@40EeqLLD+NFz}eZh=ot_Bz_Z|C=-#K#BLp{sy+Y&RvRW7Dh4-JD&!y=>?Jyoi52@xKR;IUAECLGxSbc*1Uvl=-7iYy"
    "rEK&3`7Y0#ME6XSSG<3x5DQr"
)


def plain(packed: str) -> bytes:
    return zlib.decompress(base64.b85decode(packed))


def test_what_was_written_before_is_read() -> None:
    assert table_from(plain(STREAM)).equals(TABLE)
    assert schema_from(plain(SCHEMA)).equals(TABLE.schema, check_metadata=True)


@given(
    st.lists(
        st.lists(st.fixed_dictionaries({"text": st.none() | st.text(), "of": st.lists(st.integers(0, 9))}))
    )
)
def test_tables_come_back_whatever_their_chunks(chunks: list[list[dict[str, Any]]]) -> None:
    schema = pa.schema([("text", pa.string()), ("of", pa.list_(pa.int8()))], {"told": "by whom"})
    given_table = pa.concat_tables(
        [schema.empty_table(), *(pa.Table.from_pylist(rows, schema) for rows in chunks)]
    )
    found = table_from(table_bytes(given_table))
    found.validate(full=True)
    assert found.equals(given_table, check_metadata=True)
    assert schema_from(schema_bytes(given_table.schema)).equals(schema, check_metadata=True)


def test_a_table_is_one_compressed_batch() -> None:
    """What is repeated in a store's field takes little room, however many chunks it came in."""
    table = pa.concat_tables([pa.table({"text": ["the same words"] * 1_000})] * 3)
    content = table_bytes(table)
    assert table_from(content)["text"].num_chunks == 1
    assert len(content) < table.nbytes / 2
