"""Columns as every table has them: ids, times, references, words."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Text
from sqlmodel import Field


def big(*more: Any, primary_key: bool = False, nullable: bool = False, index: bool = False) -> Column[int]:
    """A whole number of 64 bits."""
    return Column(BigInteger, *more, primary_key=primary_key, nullable=nullable, index=index, autoincrement=False)


def id_() -> Any:
    return Field(sa_column=big(primary_key=True))


def at(nullable: bool = False) -> Any:
    return Field(default=None if nullable else ..., sa_column=big(nullable=nullable))


def ref(target: str, *, primary_key: bool = False, nullable: bool = False, index: bool = False) -> Any:
    key = ForeignKey(target, ondelete="CASCADE")
    column = big(key, primary_key=primary_key, nullable=nullable, index=index)
    return Field(default=None if nullable else ..., sa_column=column)


def words(nullable: bool = False, unique: bool = False) -> Any:
    return Field(default=None if nullable else ..., sa_column=Column(Text, nullable=nullable, unique=unique))
