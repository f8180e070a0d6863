"""The steps of the demo, in order.

A step that expects a code breaks a rule on purpose. All other steps must succeed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from errgrpc import ComponentCode, ErrorCode, ResCode

from ..im import UnreachableError

__all__ = ["CHAPTERS", "DEADLINE", "MAX_ROOMS", "Chapter", "Step"]

MAX_ROOMS = 2
DEADLINE = 10.0
"""Seconds for every call, also for feeds and lines: the demo fails instead of waiting forever."""


@dataclass(frozen=True)
class Step:
    zh: str
    en: str
    method: str
    act: Callable[[Any], Any]
    """Calls a client on a stage of either stack. On asyncio, its result is awaited."""
    expect: ErrorCode | None = None
    foreign: type[Exception] | None = None
    """The exception that the handler raised instead of a ServiceError."""
    inferred: bool = False
    """Whether no code is sent, so that the client infers it from the status."""

    @property
    def kind(self) -> str:
        return {
            "WatchRoom": "server stream",
            "ImportSeats": "client stream",
            "Signal": "bidi stream",
        }.get(self.method, "unary")


@dataclass(frozen=True)
class Chapter:
    zh: str
    en: str
    steps: Sequence[Step]


def _im(stage: Any, *, reachable: bool) -> None:
    stage.im.reachable = reachable


CHAPTERS = [
    Chapter(
        "建房",
        "Rooms",
        [
            Step(
                "没带令牌的人想建房间",
                "A user without a token wants a room",
                "CreateRoom",
                lambda s: s.stranger.create_room("math-101", "lecture"),
                ResCode.UNAUTHORIZED,
            ),
            Step(
                "陈老师没有填完表单",
                "Teacher Chen has not filled in the form",
                "CreateRoom",
                lambda s: s.chen.create_room("Math 101", ""),
                ResCode.BAD_REQUEST,
            ),
            Step(
                "未知的配置",
                "An unknown configuration",
                "CreateRoom",
                lambda s: s.chen.create_room("math-101", "planetarium"),
                ResCode.ROOM_BAD_CONFIG,
            ),
            Step(
                "陈老师建了大班课房间",
                "Chen opens a lecture",
                "CreateRoom",
                lambda s: s.chen.create_room("math-101", "lecture"),
            ),
            Step(
                "再建一次，配置相同",
                "Once more, with the same configuration",
                "CreateRoom",
                lambda s: s.chen.create_room("math-101", "lecture"),
                ResCode.CONFLICT,
            ),
            Step(
                "客户端把它当作成功：直接用已有的房间",
                "A success to clients: they take what is there",
                "CreateRoom",
                lambda s: s.chen.ensure_room("math-101", "lecture"),
            ),
            Step(
                "再建一次，配置不同",
                "Once more, with another configuration",
                "CreateRoom",
                lambda s: s.chen.ensure_room("math-101", "small-class"),
                ResCode.ROOM_CONFIG_CONFLICT,
            ),
            Step(
                "陈老师建了小班课房间",
                "Chen opens a small class",
                "CreateRoom",
                lambda s: s.chen.create_room("art-7", "small-class"),
            ),
            Step(
                "第三个房间：服务器已满，请稍后再试",
                "A third room: the server is full, try again later",
                "CreateRoom",
                lambda s: s.chen.create_room("music-3", "lecture"),
                ResCode.SERVICE_UNAVAILABLE,
            ),
        ],
    ),
    Chapter(
        "进房",
        "Members",
        [
            Step(
                "小李要进的房间不存在",
                "Li looks for a room that is not there",
                "JoinRoom",
                lambda s: s.li.join_room("math-999", "student"),
                ResCode.ROOM_NOT_EXIST,
            ),
            Step(
                "小李想当校长",
                "Li wants to be the principal",
                "JoinRoom",
                lambda s: s.li.join_room("math-101", "principal"),
                ResCode.ROOM_ROLE_UNDEFINED,
            ),
            Step(
                "小李以学生身份加入",
                "Li joins as a student",
                "JoinRoom",
                lambda s: s.li.join_room("math-101", "student"),
            ),
            Step(
                "小李又加入一次",
                "Li joins once more",
                "JoinRoom",
                lambda s: s.li.join_room("math-101", "student"),
                ResCode.ROOM_MEMBER_EXIST,
            ),
            Step(
                "小王也想当老师",
                "Wang wants to be a host too",
                "JoinRoom",
                lambda s: s.wang.join_room("math-101", "host"),
                ResCode.ROOM_ROLE_EXCEED,
            ),
            Step(
                "小王以学生身份加入",
                "Wang joins as a student",
                "JoinRoom",
                lambda s: s.wang.join_room("math-101", "student"),
            ),
            Step(
                "小赵以学生身份加入",
                "Zhao joins as a student",
                "JoinRoom",
                lambda s: s.zhao.join_room("math-101", "student"),
            ),
            Step(
                "小李想把小王请出去",
                "Li wants to remove Wang",
                "LeaveRoom",
                lambda s: s.li.leave_room("math-101", "wang"),
                ResCode.FORBIDDEN,
            ),
            Step(
                "陈老师要请出一个不在房间里的人",
                "Chen removes a user that is not there",
                "LeaveRoom",
                lambda s: s.chen.leave_room("math-101", "sun"),
                ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
            ),
        ],
    ),
    Chapter(
        "座位",
        "Seats",
        [
            Step(
                "小班课没有配置座位",
                "A small class has no seats",
                "TakeSeat",
                lambda s: s.chen.take_seat("art-7"),
                ResCode.ROOM_NOT_PREPARED,
            ),
            Step(
                "小李要坐 9 号",
                "Li wants seat 9",
                "TakeSeat",
                lambda s: s.li.take_seat("math-101", 9),
                ResCode.ROOM_SIT_NOT_EXIST,
            ),
            Step(
                "小李坐了 1 号",
                "Li takes seat 1",
                "TakeSeat",
                lambda s: s.li.take_seat("math-101", 1),
            ),
            Step(
                "小李还想坐 2 号",
                "Li wants seat 2 as well",
                "TakeSeat",
                lambda s: s.li.take_seat("math-101", 2),
                ResCode.ROOM_SIT_USER_CONFLICT,
            ),
            Step(
                "小王也要坐 1 号",
                "Wang wants seat 1 too",
                "TakeSeat",
                lambda s: s.wang.take_seat("math-101", 1),
                ResCode.ROOM_SIT_CONFLICT,
            ),
            Step(
                "小王坐了 2 号",
                "Wang takes seat 2",
                "TakeSeat",
                lambda s: s.wang.take_seat("math-101", 2),
            ),
            Step(
                "小赵没有座位了",
                "No seat is left for Zhao",
                "TakeSeat",
                lambda s: s.zhao.take_seat("math-101"),
                ResCode.ROOM_SIT_FULL,
            ),
            Step(
                "陈老师导入一张空的座位表",
                "Chen imports an empty list of seats",
                "ImportSeats",
                lambda s: s.chen.import_seats("math-101", []),
                ResCode.ROOM_SITS_BAD,
            ),
            Step(
                "第二行的座位号写错了",
                "A wrong number in the second row",
                "ImportSeats",
                lambda s: s.chen.import_seats("math-101", [(3, ""), (0, ""), (4, "")]),
                ResCode.BAD_REQUEST,
            ),
            Step(
                "1 号座位已经存在",
                "Seat 1 is there already",
                "ImportSeats",
                lambda s: s.chen.import_seats("math-101", [(3, "zhao"), (1, "")]),
                ResCode.ROOM_SIT_CONFLICT,
            ),
            Step(
                "陈老师导入三个座位，小赵坐 3 号",
                "Chen imports three seats, Zhao gets number 3",
                "ImportSeats",
                lambda s: s.chen.import_seats("math-101", [(3, "zhao"), (4, ""), (5, "")]),
            ),
        ],
    ),
    Chapter(
        "属性",
        "Properties",
        [
            Step(
                "陈老师定了课题",
                "Chen sets the topic",
                "SetProperty",
                lambda s: s.chen.set_property("math-101", "topic", "π"),
            ),
            Step(
                "再定一次，不许覆盖",
                "Once more, but never over another",
                "SetProperty",
                lambda s: s.chen.set_property("math-101", "topic", "e", exclusive=True),
                ResCode.ROOM_PROPERTY_EXISTS,
            ),
            Step(
                "小李共享屏幕",
                "Li shares the screen",
                "SetMemberProperty",
                lambda s: s.li.set_member_property("math-101", "screen_share", "on"),
            ),
            Step(
                "小李又共享一次，不许覆盖",
                "Li shares it again, but never over another",
                "SetMemberProperty",
                lambda s: s.li.set_member_property(
                    "math-101", "screen_share", "on", exclusive=True
                ),
                ResCode.ROOM_MEMBER_PROPERTY_EXISTS,
            ),
            Step(
                "小王也要共享屏幕：同时只能一人",
                "Wang wants to share too: one at a time",
                "SetMemberProperty",
                lambda s: s.wang.set_member_property("math-101", "screen_share", "on"),
                ResCode.ROOM_MEMBER_CONCURRENCY_OUT,
            ),
        ],
    ),
    Chapter(
        "信令",
        "Signalling",
        [
            Step(
                "IM 令牌不对",
                "A wrong IM token",
                "Signal",
                lambda s: s.li.sign_in("math-101", "im-wang", timeout=DEADLINE),
                ComponentCode.IM_LOGIN_ERROR,
            ),
            Step(
                "复用 IM 时，错误码相同，提示不同",
                "The same code where IM is reused: another hint",
                "Signal",
                lambda s: s.li.sign_in("math-101", "im-wang", im_reused=True, timeout=DEADLINE),
                ComponentCode.IM_LOGIN_ERROR,
            ),
            Step("IM 服务断了", "The IM service goes down", "", lambda s: _im(s, reachable=False)),
            Step(
                "translate 把它的异常转成错误码",
                "Its exception becomes a code by translate=",
                "Signal",
                lambda s: s.li.sign_in("math-101", "im-li", timeout=DEADLINE),
                ResCode.NIM_SERVICE_ERROR,
                foreign=UnreachableError,
            ),
            Step("IM 服务恢复了", "The IM service is back", "", lambda s: _im(s, reachable=True)),
            Step(
                "小李登录",
                "Li signs in",
                "Signal",
                lambda s: s.keep("li", s.li.sign_in("math-101", "im-li", timeout=DEADLINE)),
            ),
            Step(
                "小王登录",
                "Wang signs in",
                "Signal",
                lambda s: s.keep("wang", s.wang.sign_in("math-101", "im-wang", timeout=DEADLINE)),
            ),
            Step(
                "小李给小王发消息",
                "Li writes to Wang",
                "Signal",
                lambda s: s.kept["li"].send("wang", "下课打球？"),
            ),
            Step("小王收到了", "Wang gets it", "Signal", lambda s: s.kept["wang"].receive()),
            Step(
                "小李给不在房间里的人发消息",
                "Li writes to a user that is not there",
                "Signal",
                lambda s: s.kept["li"].send("sun", "在吗？"),
            ),
            Step(
                "成员不存在",
                "There is no such member",
                "Signal",
                lambda s: s.kept["li"].receive(),
                ResCode.ROOM_DESTINATION_MEMBER_NOT_EXIST,
            ),
            Step(
                "小王在另一台设备上登录",
                "Wang signs in on another device",
                "Signal",
                lambda s: s.keep(
                    "wang's phone", s.wang.sign_in("math-101", "im-wang", timeout=DEADLINE)
                ),
            ),
            Step(
                "原来的设备被挤下线",
                "The first device is put out",
                "Signal",
                lambda s: s.kept["wang"].receive(),
                ComponentCode.ENGINE_ERROR_SERVER_KICKED,
            ),
        ],
    ),
    Chapter(
        "房间动态",
        "The feed of a room",
        [
            Step(
                "小李想看别人的房间",
                "Li wants to watch a room of others",
                "WatchRoom",
                lambda s: s.watch("art", s.li.watch_room("art-7", timeout=DEADLINE)),
                ResCode.FORBIDDEN,
            ),
            Step(
                "小赵关注房间动态",
                "Zhao watches the room",
                "WatchRoom",
                lambda s: s.watch("feed", s.zhao.watch_room("math-101", timeout=DEADLINE)),
            ),
            Step(
                "陈老师换了课题",
                "Chen changes the topic",
                "SetProperty",
                lambda s: s.chen.set_property("math-101", "topic", "e"),
            ),
            Step(
                "陈老师下课，关闭房间",
                "Chen ends the lesson and closes the room",
                "CloseRoom",
                lambda s: s.chen.close_room("math-101"),
            ),
            Step(
                "小赵收到动态，随后流因错误结束",
                "Zhao gets the news, then the stream ends with an error",
                "WatchRoom",
                lambda s: s.drain("feed"),
                ComponentCode.ENGINE_ERROR_ROOM_CLOSED,
            ),
            Step(
                "小王的信令流也结束了",
                "Wang's line ends, too",
                "Signal",
                lambda s: s.kept["wang's phone"].receive(),
                ComponentCode.ENGINE_ERROR_ROOM_CLOSED,
            ),
        ],
    ),
    Chapter(
        "未处理的异常",
        "Unhandled exceptions",
        [
            Step(
                "bug：客户端只看到请求 ID，详情在日志里",
                "A bug: a request id to the client, the rest to the log",
                "GetOccupancy",
                lambda s: s.chen.get_occupancy("art-7"),
                ResCode.INTERNAL_SERVER_ERROR,
                foreign=ZeroDivisionError,
            ),
            Step("服务器停了", "The server stops", "", lambda s: s.stop_server()),
            Step(
                "没收到错误码：按状态推断，remote() 不捕获",
                "No code was sent: it is inferred, not caught as one",
                "GetRoom",
                lambda s: s.chen.get_room("art-7"),
                ResCode.SERVICE_UNAVAILABLE,
                inferred=True,
            ),
        ],
    ),
]
