"""The words of the page, in English and Chinese."""

from collections.abc import Mapping

__all__ = ["WORDS"]

WORDS: Mapping[str, tuple[str, str]] = {
    "any_http": ("HTTP status", "HTTP 状态"),
    "any_retry": ("Retry", "重试"),
    "any_status": ("gRPC status", "gRPC 状态"),
    "catalogue": ("Catalogue", "错误码表"),
    "clear": ("Clear search and filters", "清除搜索与筛选"),
    "codes": ("codes", "个错误码"),
    "copied": ("Link copied", "链接已复制"),
    "dark": ("Dark theme", "深色主题"),
    "deprecated": ("Deprecated", "已弃用"),
    "deprecated_any": ("Deprecated?", "是否弃用"),
    "deprecated_no": ("Not deprecated", "未弃用"),
    "deprecated_yes": ("Deprecated", "已弃用"),
    "developers": ("For developers", "面向开发者"),
    "domain": ("Domain", "域"),
    "example": ("such as", "例如"),
    "filters": ("Filters", "筛选"),
    "help": ("More", "更多信息"),
    "if": ("if", "仅当"),
    "language": ("Language", "语言"),
    "methods": ("Methods that raise it", "会抛出它的方法"),
    "metadata": ("Metadata", "元数据"),
    "none": ("No code matches", "没有符合条件的错误码"),
    "of": ("{shown} of {all} codes", "{shown} / {all} 个错误码"),
    "optional": ("optional", "可选"),
    "resolution": ("What to do", "如何处理"),
    "retry": ("Retry", "重试"),
    "retry_no": ("The same call fails again", "原样重试仍会失败"),
    "retry_no_filter": ("Retry does not help", "重试无效"),
    "retry_unsaid_filter": ("Retry not declared", "未声明能否重试"),
    "retry_yes": ("The same call may succeed later", "稍后重试可能成功"),
    "retry_yes_filter": ("Retry may help", "可以重试"),
    "search": ("Search numbers, reasons and texts", "搜索编号、名称与文案"),
    "skip": ("Skip to the codes", "跳到错误码"),
    "texts": ("Texts", "文案"),
    "when": ("When it occurs", "何时发生"),
    "wire": ("The JSON on the wire", "实际传输的 JSON"),
}
"""Each text, in English and Chinese."""
